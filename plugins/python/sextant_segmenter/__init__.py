"""Serve a Python model as a Sextant segmenter: one class, one method.

    class Health(Segmenter):
        descriptor = "descriptor.json"

        def segment(self, rows, call):
            return ["key" if share >= 0.6 else "at_risk" for share in rows["usage.seat_share"].to_pylist()]

    if __name__ == "__main__":
        Health.serve()
"""

from .segmenter import ABSTAIN, NONE, Call, Reason, Refused, Segmenter
from .server import Server

__all__ = ["ABSTAIN", "NONE", "Call", "Reason", "Refused", "Segmenter", "Server"]
__version__ = "0.1.0"
