"""What is made when it is first used: exports of packages, and the methods of dataclasses."""
