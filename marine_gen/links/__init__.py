"""Verification of the links between the modules of a service, and to its surroundings, before anything runs.

`marine_gen.ir` verifies a single module.
"""

from marine_gen.links.outside import check_outside
from marine_gen.links.verify import check_links

__all__ = ["check_links", "check_outside"]
