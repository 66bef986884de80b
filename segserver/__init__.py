"""A privacy-aware customer segmentation server.

Which segments is this customer in, for this purpose, and why?
"""

from importlib.metadata import version

__version__ = version("segserver")
