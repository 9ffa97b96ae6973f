"""Tests for policies: assertions about who can reach whom, judged of a whole cluster at once, and what they leave untried.

    PolicyTest, `tests:` ─► Located ─┐
                                     ├─► Judge ─► Outcome: passed, or counter-examples with the oracle's verdicts
    KnownCluster ─► Reach ───────────┘       └──► Coverage: which rules decided what was asked, which never can

Ends that policy cannot tell apart are asked once, and all packets of an assertion at once (``tortie.analysis.reach``); what does not
hold is told with a packet that the oracle was asked about. Hosts, which are no ends there, are asked of the oracle alone.
"""

from tortie.analysis.assertions.judging import Judge, broken, judge
from tortie.analysis.assertions.outcome import CounterExample, Located, Outcome

__all__ = ["CounterExample", "Judge", "Located", "Outcome", "broken", "judge"]
