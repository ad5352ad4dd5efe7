"""Chromium and Node.js for the tests: `python -m tests.programs` installs Debian's packages where they are missing.

The tests themselves install no program. Without these, those that need them are skipped with the reason, and fail where
CI is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from campaigns.pictures import find_chromium

# A font, too: a page without one has no letters.
_PACKAGES = {"chromium": ("chromium", "fonts-dejavu-core"), "node": ("nodejs",), "npm": ("npm",)}


class MissingProgramError(Exception):
    """A program is not installed and cannot be; the message says what to run."""


def find_missing() -> list[str]:
    """Debian's packages of the programs that this machine lacks."""
    found = {"chromium": find_chromium(), "node": shutil.which("node"), "npm": shutil.which("npm")}
    return [package for program, packages in _PACKAGES.items() if not found[program] for package in packages]


def install_packages(*packages: str) -> None:
    """Install Debian's `packages`. Raises MissingProgramError where that cannot be done from here."""
    by_hand = f"sudo apt-get install -y {' '.join(packages)}"
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (sudo and not works([*sudo, "true"])):
        raise MissingProgramError(f"{', '.join(packages)} may not be installed from here; run: {by_hand}")
    print(f"installing Debian's {', '.join(packages)}", flush=True)
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run([*apt, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise MissingProgramError(f"apt-get {words[0]} failed: {done.stderr.strip()[-800:]}; run: {by_hand}")


def works(command: list[str]) -> bool:
    return bool(shutil.which(command[0])) and subprocess.run(command, capture_output=True, check=False).returncode == 0


def main() -> int:
    missing = find_missing()
    try:
        if missing:
            install_packages(*missing)
    except MissingProgramError as error:
        # Only the gate insists: a person without them still gets all other tests.
        print(error, file=sys.stderr)
        return 3 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
