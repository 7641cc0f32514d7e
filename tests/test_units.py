"""Numbers as one reads them."""

import pytest

from verglas.units import clock, file_size


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3599.7, "1:00:00"), (11110, "3:05:10"),
                                                (172799, "47:59:59"), (172800, "2 d 0 h"), (187500, "2 d 4 h")])
def test_durations(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 B"), (999, "999 B"), (999.7, "1 kB"), (12345, "12.3 kB"), (999_700, "1 MB"), (3.4e9, "3.4 GB"),
                                               (2.5e12, "2.5 TB"), (1.5e15, "1500 TB")])
def test_sizes_of_files(number: float, words: str) -> None:
    assert file_size(number) == words
