"""Trains the model: python train.py EXPORT EXPORT..., of days that are three months apart, the oldest first.

Of an account that pays and has not cancelled, the features of one export say what is known on its day, and the next export says
whether it had left by then. Nothing of the later one is an input. The exports must be of what was known on their day
(sextant export FILE --as-of DAY --known-at DAY), or the past would know of the future.
"""

import argparse
import hashlib
import json
import sys

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.feather
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from model import FEATURES, FOLDER, STATUS, STAYING, matrix

#: Share of the accounts that the model is judged by and not trained with.
HELD_OUT = 0.3


def rows_of(before, after):
    """Accounts, inputs and outcomes of one period."""
    pays = dict(zip(after["account_id"].to_pylist(), after["revenue.mrr_minor"].to_pylist()))
    known = before["usage.days_since_active"].is_valid().to_numpy()
    staying = np.isin(before[STATUS].cast(pa.string()).to_numpy(), STAYING) & known
    accounts = before["account_id"].to_numpy()[staying]
    left = np.array([not pays.get(account) for account in accounts])
    return accounts, matrix(before)[staying], left


def new_pipeline():
    return Pipeline([
        ("impute", SimpleImputer(strategy="median", add_indicator=True)),
        ("scale", StandardScaler()),
        ("regress", LogisticRegression(C=0.1, max_iter=1000)),
    ])


def held_out(accounts):
    """Whether an account is kept from the training, in all periods alike: by its id, so that the same are kept every time."""
    shares = [int.from_bytes(hashlib.sha256(account.encode()).digest()[:4], "big") / 2**32 for account in accounts]
    return np.array(shares) < HELD_OUT


def segments(risks, config):
    return np.where(risks >= config["high_from"], "high", np.where(risks >= config["elevated_from"], "elevated", "low"))


def evaluate(left, risks, config):
    print(f"held out: {len(left)} rows of accounts that the model has not seen; {left.mean():.1%} left within three months")
    if not 0 < left.sum() < len(left):
        print("  too few of them left to judge the model; export more accounts or days")
        return
    print(f"  area under the ROC curve {roc_auc_score(left, risks):.2f} (0.5: a guess)")
    print(f"  average precision {average_precision_score(left, risks):.2f} ({left.mean():.2f}: a guess)")
    for segment in ("high", "elevated", "low"):
        chosen = segments(risks, config) == segment
        if chosen.any():
            caught = left[chosen].sum() / left.sum()
            print(f"  {segment:<9} {chosen.sum():>5} rows, {left[chosen].mean():>6.1%} left, {caught:>4.0%} of all who left")


def examples(table, pipeline, config):
    """Rows of the newest export and what the model says of them: the tests that its server has to pass."""
    template = json.loads((FOLDER / "template.json").read_text(encoding="utf-8"))
    names = [feature["feature"] for feature in template["requires"] + template["optional"]]
    risks = pipeline.predict_proba(matrix(table))[:, 1]
    answers = []
    for status, last_active, segment in zip(table[STATUS].to_pylist(), table["usage.days_since_active"].to_pylist(), segments(risks, config)):
        answers.append(None if last_active is None else str(segment) if status in STAYING else "")
    chosen = [answers.index(answer) for answer in ("low", "elevated", "high", "", None) if answer in answers]
    rows = [[table[name][row].as_py() for name in names] for row in chosen]
    return [{"config": {}, "rows": rows, "expect": [answers[row] for row in chosen]}]


def main():
    parser = argparse.ArgumentParser(description="Trains the model and writes model.joblib and churn.json")
    parser.add_argument("exports", nargs="+", help="exports of the same tenant, the oldest first; at least two")
    parser.add_argument("--version", default="1.0.0", help="version of the segmenter; another model is another version (default: %(default)s)")
    arguments = parser.parse_args()
    if len(arguments.exports) < 2:
        sys.exit("name at least two exports: who leaves is seen in the later one")
    # Sorted by account id already, so the same exports give the same model.
    tables = [pyarrow.feather.read_table(path) for path in arguments.exports]
    periods = [rows_of(before, after) for before, after in zip(tables, tables[1:])]
    accounts, inputs, left = (np.concatenate(part) for part in zip(*periods))
    descriptor = json.loads((FOLDER / "template.json").read_text(encoding="utf-8"))
    config = {name: rule["default"] for name, rule in descriptor["config_schema"]["properties"].items()}

    aside = held_out(accounts)
    judged = new_pipeline().fit(inputs[~aside], left[~aside])
    print(f"trained on {(~aside).sum()} rows of {len(set(accounts[~aside]))} accounts, {left[~aside].sum()} of which had left")
    evaluate(left[aside], judged.predict_proba(inputs[aside])[:, 1], config)

    # What is served has learned from all accounts; the figures above are of one that has not.
    pipeline = new_pipeline().fit(inputs, left)
    joblib.dump(pipeline, FOLDER / "model.joblib")
    digest = hashlib.sha256((FOLDER / "model.joblib").read_bytes()).hexdigest()
    descriptor["version"] = arguments.version
    descriptor["model"] = {"file": "model.joblib", "sha256": digest, "scikit_learn": sklearn.__version__, "features": list(FEATURES)}
    descriptor["examples"] = examples(tables[-1], pipeline, config)
    (FOLDER / "churn.json").write_text(json.dumps(descriptor, indent=2) + "\n", encoding="utf-8")
    print(f"wrote model.joblib and churn.json, version {arguments.version}")


if __name__ == "__main__":
    main()
