"""Telemetry: what a service tells of itself: lines of its log, and metrics."""

from app.telemetry.lines import JsonLines, log_json_lines

__all__ = ["JsonLines", "log_json_lines"]
