"""The report of a run: one HTML file that shows what was learned, how well, and at what cost."""

from slipstream.report.figures import figures
from slipstream.report.gap import Gap, gaps, generalization_gap
from slipstream.report.page import render, write
from slipstream.report.run import Part, Run

__all__ = ["Gap", "Part", "Run", "figures", "gaps", "generalization_gap", "render", "write"]
