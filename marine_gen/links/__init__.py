"""Checks across the modules of a service, before anything runs. One module's own checks are `marine_gen.ir`'s."""

from marine_gen.links.verify import check_links

__all__ = ["check_links"]
