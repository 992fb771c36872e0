"""What the log tail tells of itself, in the order in which it is measured."""

from __future__ import annotations

from agent.sources import MetricInfo

OWN = (
    MetricInfo("ottla_log_read_bytes_total", "counter", "bytes", "Read from log files"),
    MetricInfo(
        "ottla_log_cut_lines_total", "counter", "", "Lines over 1 MiB: only their beginning was searched"
    ),
    MetricInfo(
        "ottla_log_unfinished_lines_total", "counter", "", "Last lines of rotated files that had no end"
    ),
    MetricInfo("ottla_log_truncations_total", "counter", "", "Files that shrank, and were read anew"),
    MetricInfo("ottla_log_skipped_bytes_total", "counter", "bytes", "Older than the window at the start"),
    MetricInfo(
        "ottla_log_lost_entries_total", "counter", "", "Overwritten by the kernel before they were read"
    ),
    MetricInfo("ottla_log_refused_entries_total", "counter", "", "Of the journal, that could not be read"),
    MetricInfo("ottla_log_behind_bytes", "gauge", "bytes", "Not yet read"),
    MetricInfo("ottla_log_files", "gauge", "", "Log files being watched"),
    MetricInfo(
        "ottla_log_unreadable_files",
        "gauge",
        "",
        "Log files that could not be read or are not there, and globs whose folder could not be listed",
    ),
    MetricInfo("ottla_log_polled_files", "gauge", "", "Read each second, as nobody tells when they grow"),
    MetricInfo(
        "ottla_log_left_out_files",
        "gauge",
        "",
        "Log files that are written to, and left out beyond the 200 that are watched at most",
    ),
    MetricInfo(
        "ottla_log_unsaved",
        "gauge",
        "",
        "1 while the journal does not take up to where lines were counted: a killed agent reads them again",
    ),
)
