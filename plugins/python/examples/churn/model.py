"""How likely a paying account is to leave: a scikit-learn model that train.py has trained."""

import functools
import hashlib
import json
import warnings
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
from sklearn.exceptions import InconsistentVersionWarning

from sextant_segmenter import NONE, Reason, Segmenter

FOLDER = Path(__file__).parent
STATUS = "subscription.status"
#: Who pays and has not cancelled: the others cannot leave any more, or are about to by their own word.
STAYING = ("active", "past_due")
#: What the model reads, in the order of its columns, and how a value is told.
FEATURES = {
    "usage.active_days_28d": "active on {:.0f} of the last 28 days",
    "usage.product_features_28d": "product features in use: {:.0f}",
    "usage.days_since_active": "last active {:.0f} days ago",
    "usage.trend_28d": "use has changed by {:+.0%}",
    "usage.seat_share": "{:.0%} of the seats in use",
    "revenue.mrr_change_90d_minor": "monthly revenue has changed by {:+.0f} minor units in 90 days",
    "subscription.paying_days": "paying for {:.0f} days",
    "contract.days_to_renewal": "{:.0f} days to the renewal",
}


#: Beyond this a value is as large as can be: systems that tell of accounts have defects.
LARGEST = 1e12


def matrix(table):
    """The model's inputs, of an export as of a batch: a row for each account, NaN where a value is unknown."""
    columns = [table.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for name in FEATURES]
    return np.clip(np.column_stack(columns), -LARGEST, LARGEST)


@functools.cache
def pipeline():
    """The trained pipeline, loaded once for all configurations."""
    told = json.loads((FOLDER / "churn.json").read_text(encoding="utf-8"))["model"]
    bytes_ = (FOLDER / told["file"]).read_bytes()
    # A pickle can run any code, so nothing is loaded but what train.py wrote together with the descriptor.
    if hashlib.sha256(bytes_).hexdigest() != told["sha256"]:
        raise ValueError(f"{told['file']} is not the model that churn.json describes; train again")
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        return joblib.load(FOLDER / told["file"])


class Churn(Segmenter):
    """Accounts without a feature that it requires are not shown to it: Sextant counts them as not judged."""

    descriptor = "churn.json"

    def __init__(self, config):
        super().__init__(config)
        self.pipeline = pipeline()

    def segment(self, rows, call):
        risks = self.pipeline.predict_proba(matrix(rows))[:, 1]
        return [self._segment(status, risk) for status, risk in zip(rows.column(STATUS).to_pylist(), risks)]

    def _segment(self, status, risk):
        if status not in STAYING:
            return NONE
        if risk >= self.config["high_from"]:
            return "high"
        return "elevated" if risk >= self.config["elevated_from"] else "low"

    def explain(self, rows, call, top_k):
        """What each feature adds to the logarithm of the odds, beside an average account."""
        values = matrix(rows)
        inputs, regression = self.pipeline[:-1], self.pipeline[-1]
        parts = inputs.transform(values) * regression.coef_[0]
        # Behind the features stand those columns that say whether one of them is unknown.
        owners = [*range(len(FEATURES)), *self.pipeline["impute"].indicator_.features_]
        reasons = []
        for status, row, of_row in zip(rows.column(STATUS).to_pylist(), values, parts):
            weights = np.bincount(owners, of_row)
            told = [self._reason(name, weight, value) for name, weight, value in zip(FEATURES, weights, row)]
            reasons.append(told if status in STAYING else [Reason(STATUS, 1.0, f"{status}: it does not pay, or has cancelled")])
        return reasons

    @staticmethod
    def _reason(name, weight, value):
        text = f"{name} is unknown" if np.isnan(value) else FEATURES[name].format(value)
        return Reason(name, weight, f"{text}: {'raises' if weight > 0 else 'lowers'} the risk")


if __name__ == "__main__":
    Churn.serve()
