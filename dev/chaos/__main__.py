"""`./run chaos`: runs a campaign of faults against its own system and prints a report."""

import argparse
import random
import sys
import time

from dev.chaos import campaign


def main(arguments: list[str]) -> int:
    """Run a campaign.

    Return the exit code: 1 if anything is missing, duplicated, wrong or refused, or the ledger is not exact.
    """
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="the duration in minutes (5)")
    parser.add_argument("--seed", type=int, help="determines the faults and the events (random)")
    parser.add_argument("--rate", type=float, default=500.0, help="events a second (500)")
    parser.add_argument("--workers", type=int, default=2, help="the number of workers (2)")
    chosen = parser.parse_args(arguments)
    seed = random.randrange(1 << 24) if chosen.seed is None else chosen.seed
    started = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {words}", flush=True)

    say(f"seed {seed}: the same faults come again with --seed {seed}")
    outcome = campaign.Campaign(minutes=chosen.minutes, seed=seed, rate=chosen.rate, workers=chosen.workers).run(say)
    print(f"\n{campaign.format_report(outcome)}")
    print("\nclean" if outcome.is_clean else "\nNOT CLEAN")
    return 0 if outcome.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
