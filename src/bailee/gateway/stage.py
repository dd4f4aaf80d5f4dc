"""How far a call is, in order. Plain numbers: they are compared a dozen times in a call."""

from typing import Final

RECORDING: Final = 0
GATHERING: Final = 1
DIALLING: Final = 2
SENT: Final = 3
ANSWERING: Final = 4
ENDED: Final = 5
