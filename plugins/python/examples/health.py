"""Four groups from revenue and the share of seats in use, in Python."""

from sextant_segmenter import ABSTAIN, Reason, Segmenter


class Health(Segmenter):
    descriptor = "health.json"

    def segment(self, rows, call):
        return [self._group(arr, share) for arr, share in self._pairs(rows)]

    def explain(self, rows, call, top_k):
        return [
            []
            if share is None
            else [
                Reason("usage.seat_share", self._beyond(share), f"{share:.0%} of the seats are in use"),
                Reason("revenue.arr_minor", 0.1 if self._is_large(arr) else -0.1, f"{arr / 10 ** self.config['currency_digits']:,.0f} a year"),
            ]
            for arr, share in self._pairs(rows)
        ]

    def _pairs(self, rows):
        return zip(rows.column("revenue.arr_minor").to_pylist(), rows.column("usage.seat_share").to_pylist())

    def _beyond(self, share):
        # Sources have defects: a share may be infinite, or no number.
        return max(-1.0, min(1.0, share - self.config["seat_share_min"]))

    def _is_large(self, arr):
        return arr >= self.config["arr_min_minor"]

    def _group(self, arr, share):
        if share is None:
            return ABSTAIN
        if share >= self.config["seat_share_min"]:
            return "key" if self._is_large(arr) else "potential"
        return "at_risk" if self._is_large(arr) else "low"


if __name__ == "__main__":
    Health.serve()
