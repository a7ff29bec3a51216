"""Compares what Sextant stored with what the model says of an export: python compare.py EXPORT MEMBERS.

MEMBERS is the output of `sextant members churn --limit 0 --output ndjson`. Nothing of model.py is used: the inputs are read row by
row, the rules are told again.
"""

import json
import sys
from pathlib import Path

import joblib
import pyarrow.feather


def said(row, risk):
    needed = ("subscription.status", "usage.active_days_28d", "usage.product_features_28d", "usage.days_since_active")
    if any(row[name] is None for name in needed):
        return "abstained"
    if row["subscription.status"] not in ("active", "past_due"):
        return "none"
    return "high" if risk >= 0.12 else "elevated" if risk >= 0.06 else "low"


def main():
    export, members = sys.argv[1:]
    folder = Path(__file__).parent
    features = json.loads((folder / "churn.json").read_text(encoding="utf-8"))["model"]["features"]
    rows = pyarrow.feather.read_table(export).to_pylist()
    inputs = [[float("nan") if row[name] is None else float(row[name]) for name in features] for row in rows]
    risks = joblib.load(folder / "model.joblib").predict_proba(inputs)[:, 1]
    expected = {row["account_id"]: said(row, risk) for row, risk in zip(rows, risks)}

    stored = {}
    with open(members, encoding="utf-8") as lines:
        for line in lines:
            member = json.loads(line)
            stored[member["account"]] = member["segment"] or member["state"]
    others = {account for account in expected.keys() | stored.keys() if expected.get(account) != stored.get(account)}
    for account in sorted(others)[:10]:
        print(f"{account}: the model says {expected.get(account)}, Sextant {stored.get(account)}")
    if others:
        sys.exit(f"{len(others)} of {len(expected)} accounts differ")
    counts = {segment: list(stored.values()).count(segment) for segment in sorted(set(stored.values()))}
    print(f"{len(stored)} accounts, all where the model puts them: {counts}")


if __name__ == "__main__":
    main()
