"""The report of a run: one HTML file that shows what was learned, how well, and at what cost."""

from slipstream.report.figures import figures
from slipstream.report.page import render, write
from slipstream.report.run import Part, Run

__all__ = ["Part", "Run", "figures", "render", "write"]
