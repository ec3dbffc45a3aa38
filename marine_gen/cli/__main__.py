"""`python -m marine_gen.cli`, for where the console script is not on the path."""

from marine_gen.cli.app import main

if __name__ == "__main__":
    main()
