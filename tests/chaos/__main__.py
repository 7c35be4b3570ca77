"""`make chaos`: break things at random moments of real calls, and audit the books from outside.

Options: --seed N, --faults N, --stages N (so many PBXs at once), --only KIND (again and again), --skip N, --keep FOLDER.
"""

import argparse
import asyncio
import logging
import secrets
import sys
import tempfile
import time
from pathlib import Path

import structlog

from tests.chaos.campaign import run
from tests.chaos.faults import FAULTS
from tests.chaos.rounds import possible


def main() -> int:
    """Run; 1 when any invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--stages", type=int, default=4)
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), default=[])
    parser.add_argument("--skip", type=int, default=0, help="rounds of this seed to leave out, e.g. to repeat one")
    parser.add_argument("--keep", type=Path, help="an empty folder that keeps databases, spools' archives and logs")
    given = parser.parse_args()
    for kind in FAULTS.keys() - possible().keys():
        print(f"left out: {kind} (the package faketime is not installed)")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(f"seed {given.seed}, {given.faults} faults on {given.stages} stages", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ringfence-chaos-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        campaign = asyncio.run(
            run(
                given.seed,
                given.faults,
                folder.resolve(),
                stages=given.stages,
                only=tuple(given.only),
                skip=given.skip,
                say=lambda line: print(line, flush=True),
            )
        )
    print(f"\n{campaign.table()}\n\nseed {given.seed}, {time.monotonic() - began:.0f} s, {campaign.findings} findings")
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())
