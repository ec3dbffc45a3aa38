"""A built directory as a Python package: `__init__.py` with its classes, `pool.py` and `client.py`.

`records` finds the records that modules share, `render` names and writes everything. At run time the functions of a
service are the entries of the generated glue; the classes only declare their types.
"""

from marine_gen.package.render import RESERVED_FILES, Package, generate_package

__all__ = ["RESERVED_FILES", "Package", "generate_package"]
