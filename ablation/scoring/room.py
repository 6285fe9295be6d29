"""How much a folder holds. What is written is bounded so, as no limit of a process bounds the number of its files."""

import errno
import os
from pathlib import Path
from typing import NamedTuple

EVERY_S = 0.25  # how often somebody who waits for what writes there should look


class Room(NamedTuple):
    """What a folder may come to hold."""

    folder: Path
    megabytes: int  # on the disk: holes in files take none
    entries: int  # files, folders and links

    def __str__(self) -> str:
        return f"{self.megabytes} MiB or {self.entries:,} files"

    def is_exceeded(self) -> bool:
        """Whether there is more, as far as can be seen while a hostile process may change what is there.

        Folders nested deeper than a path is long, where nothing could be counted, are more than any may hold.
        """
        taken, entries, pending = 0, 0, [str(self.folder)]
        while pending:
            try:
                with os.scandir(pending.pop()) as found:
                    for entry in found:
                        entries += 1
                        taken += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entries > self.entries or taken > self.megabytes << 20:
                            return True
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
            except OSError as error:  # gone meanwhile, or closed by a test: candidates can close none
                if error.errno == errno.ENAMETOOLONG:
                    return True
        return False
