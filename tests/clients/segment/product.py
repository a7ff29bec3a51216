"""What a product does with Segment's library for Python: three accounts with two users each, and what they do."""

import os
import sys
from datetime import datetime, timedelta, timezone

import segment.analytics as analytics

failures = []
analytics.write_key = os.environ["SEXTANT_KEY"]
analytics.host = os.environ["SEXTANT_ADDRESS"]
analytics.gzip = sys.argv[1:] == ["gzip"]
analytics.on_error = lambda error, items: failures.append((error, len(items)))

begun = datetime.now(timezone.utc) - timedelta(hours=1)
for account in range(3):
    for number in range(2):
        user = f"python-{account}-{number}"
        analytics.identify(user, {"email": f"{user}@example.com", "title": "Analyst"}, timestamp=begun)
        analytics.group(user, f"python-{account}", {"name": f"Python {account}", "employees": 40 + account}, timestamp=begun)
        for step in range(20):
            at = begun + timedelta(minutes=step)
            analytics.track(user, "Report Built", {"rows": step, "feature_key": "reports"}, timestamp=at)
        analytics.page(user, "docs", "Home", {"path": "/docs"}, timestamp=begun + timedelta(minutes=30))
        analytics.alias(f"anonymous-{user}", user, timestamp=begun + timedelta(minutes=31))
analytics.shutdown()
if failures:
    sys.exit(f"not delivered: {failures}")
