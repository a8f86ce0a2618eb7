"""Which coders are measured on which samples, and what could not be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from arith_bench import field as others
from arith_bench import ours
from arith_bench.coder import Job
from arith_bench.data import Sample, draw, first
from arith_bench.library import Library, compile_library
from arith_bench.tables import all_tables, create_bank
from arith_bench.timing import Result, measure

CODEC = "ours, as the codec calls it"
THREADS = "ours, as the codec calls it, 2 threads"
FROM_NUMPY = "compressai.ans, from numpy"
FROM_LISTS = "compressai.ans, lists ready"

FIELD: dict[str, Callable[[Sample], Job]] = {
    FROM_NUMPY: others.compressai_from_numpy,
    FROM_LISTS: others.compressai_from_lists,
    "constriction, Gaussians": others.constriction_gaussian,
    "constriction, sorted by table": others.constriction_sorted,
    "torchac, from numpy": lambda sample: others.torchac_rows(sample, False),
    "torchac, rows ready": lambda sample: others.torchac_rows(sample, True),
}
# What is so slow that its cold caches are of no interest.
ONLY_WARM = ("constriction", "torchac")
COLD_SIZE = 300_000
LANES = (1, 2, 4, 8, 16, 32, 64)


@dataclass
class Report:
    """All results of a run, in the order in which they are shown."""

    warm: dict[int, list[Result]] = field(default_factory=dict)
    cold: list[Result] = field(default_factory=list)
    lanes: list[Result] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)


class Suite:
    """Sets the coders up, size by size."""

    def __init__(self, sizes: list[int], rounds: int) -> None:
        self.sizes, self.rounds = sizes, rounds
        self.report = Report()
        self.library = Library(compile_library())
        self.tables = all_tables(self.library)
        self.banks = {
            name: create_bank(self.library, self.tables, kernel)
            for name, kernel in ours.KERNELS.items()
            if self.library.kernel_available(kernel)
        }
        self.auto = create_bank(self.library, self.tables, ours.AUTO)
        self.whole = draw(max(sizes))
        cores = sorted(os.sched_getaffinity(0))
        self.helper = ours.Helper(cores[-2]) if len(cores) > 1 else None
        os.sched_setaffinity(0, {cores[-1]})
        self._describe()

    def _describe(self) -> None:
        zeros = float((self.whole.symbols == 0).mean())
        bits = self.whole.ideal_bits / len(self.whole.symbols)
        self.report.facts |= {
            "kernels": ", ".join(self.banks),
            "bytes of the bank": self.library.tables_bytes(self.auto),
            "zeros": f"{zeros:.1%}",
            "ideal bits per symbol": f"{bits:.3f}",
            "escaped symbols": f"{self._escape_share():.4%}",
        }

    def _escape_share(self) -> float:
        """The share of the symbols that lie outside of their tables' groups."""
        escaped = 0
        for index, table in enumerate(self.tables):
            _, fold, below, above = table.shape
            of_table = self.whole.symbols[self.whole.indexes == index].astype(int)
            escaped += int(((of_table < -(below << fold)) | (of_table > above << fold)).sum())
        return escaped / len(self.whole.symbols)

    def _ours(self, sample: Sample) -> Iterator[Job]:
        for name, bank in self.banks.items():
            yield ours.bare(self.library, bank, f"ours, {name} bare", sample, ours.MAX_LANES)
        yield ours.as_the_codec(self.library, self.auto, CODEC, sample)
        if self.helper is not None:
            yield ours.sliced(self.library, self.auto, THREADS, sample, self.helper)

    def _field(self, sample: Sample) -> Iterator[Job]:
        for name, make in FIELD.items():
            try:
                yield make(sample)
            except others.LeftOutError as reason:
                where = f"{name}, {len(sample.symbols):,} symbols"
                self.report.left_out.setdefault(str(reason), []).append(where)

    def run(self, say: Callable[[str], None]) -> Report:
        """Everything: all sizes warm, one cold, and the lanes."""
        for n in self.sizes:
            say(f"{n:,} symbols")
            sample = first(self.whole, n)
            jobs = [*self._ours(sample), *self._field(sample)]
            self.report.warm[n] = measure(jobs, sample.overhead, self.rounds, cold=False)
            if n == COLD_SIZE:
                say("the same with cold caches, and by lanes")
                fast = [job for job in jobs if not job.name.startswith(ONLY_WARM)]
                self.report.cold = measure(fast, sample.overhead, self.rounds, cold=True)
                jobs = [
                    ours.bare(self.library, self.auto, str(lanes), sample, lanes) for lanes in LANES
                ]
                self.report.lanes = measure(jobs, sample.overhead, self.rounds, cold=False)
        return self.report
