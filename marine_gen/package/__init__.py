"""The face of a built directory as a Python package: `__init__.py` with its classes, `pool.py`, `client.py`.

`records` finds the records that modules share, `render` names and writes everything. How a function runs is none of its
business: at run time the functions of a service are the entries of the generated glue, and the classes say their types.
"""

from marine_gen.package.render import RESERVED_FILES, Package, generate_package

__all__ = ["RESERVED_FILES", "Package", "generate_package"]
