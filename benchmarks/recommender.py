"""All figures of the recommender: `make bench NAME=recommender`. The last line is one JSON object.

Each part runs in a process of its own, as its own benchmark does: what is mined beside mlxtend and pyfim, how well
baskets are completed beside known methods, answers to the website at 500 a second, bulk ranking for mail, insights of a
million customers. What each figure means stands at the part.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("recommender_mining", "recommender_quality", "recommender_serving", "recommender_batch", "insights")
_PART_S = 1_800


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be repeated")
    chosen: list[str] = parser.parse_args().only or list(PARTS)
    figures: dict[str, Any] = {}
    for part in chosen:
        print(f"{part} …", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{part}"]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=_PART_S, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"  {json.dumps(found)}", flush=True)
        figures |= found
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
