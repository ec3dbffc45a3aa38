"""`python -m marine_gen`, for where the console script is not on the path."""

from marine_gen.cli import main

if __name__ == "__main__":
    main()
