"""What is done with a header, by its name.

Plain numbers: they are compared for each header of each message. `_plain.pyx` takes them from here.
"""

from typing import Final

PASS: Final = 0
"""It is passed on as it is."""
DROP: Final = 1
"""It is left out."""
LENGTH: Final = 2
"""Content-Length."""
CODING: Final = 3
"""Transfer-Encoding."""
CONNECTION: Final = 4
URLS: Final = 5
"""It holds URLs, which are rewritten."""
UNPLAIN: Final = 6
"""Its message is none for the compiled parser."""
FIELD: Final = 16
"""From here on: it stands once, in a field of its own, the field `kind - FIELD`."""
ALONE: Final = 32
"""From here on: it is passed on, and stands once; each name has a kind of its own."""
