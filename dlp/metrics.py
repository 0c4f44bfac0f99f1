"""Every metric, named once. No path, user, address or content is ever a label."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside every counter, which no dashboard asks for
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one daemon, in a registry of its own so that tests do not share state."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        add = self.registry
        self.build = Gauge("dlp_build_info", "Constant 1, labelled with the version.", ["version"], registry=add)
        self.items = Counter(
            "dlp_items", "Items decided: one for each message and each version of a file.", ["channel", "action"], registry=add
        )
        self.item_seconds = Histogram(
            "dlp_item_seconds", "Seconds from arrival to verdict enforced.", ["channel"], buckets=_SECONDS, registry=add
        )
        self.inspect_seconds = Histogram(
            "dlp_inspect_seconds", "Seconds of one inspection, by kind of content.", ["media"], buckets=_SECONDS, registry=add
        )
        self.inspected_bytes = Counter("dlp_inspected_bytes", "Bytes inspected.", ["channel"], registry=add)
        self.findings = Counter("dlp_findings", "Findings, by signature and graded level.", ["signature", "level"], registry=add)
        self.unscannable = Counter("dlp_unscannable", "Places that could not be read.", ["channel", "why"], registry=add)
        self.incidents_open = Gauge("dlp_incidents_open", "Incidents not closed, by level.", ["level"], registry=add)
        self.quarantine_items = Gauge("dlp_quarantine_items", "Originals held in quarantine.", registry=add)
        self.quarantine_bytes = Gauge("dlp_quarantine_bytes", "Bytes of originals held in quarantine.", registry=add)
        self.workers = Gauge("dlp_workers", "Confined workers, by state.", ["state"], registry=add)
        self.ocr_items = Counter("dlp_ocr_items", "Items with pictures, by how reading these went.", ["result"], registry=add)
        self.worker_restarts = Counter("dlp_worker_restarts", "Confined workers replaced, by cause.", ["why"], registry=add)
        self.queue_items = Gauge("dlp_queue_items", "Items waiting or in work.", ["channel"], registry=add)
        self.mail_auth_failures = Counter("dlp_mail_auth_failures", "AUTH that failed, by cause.", ["why"], registry=add)
        self.watch_overflows = Counter("dlp_watch_overflows", "Times the kernel dropped file events.", registry=add)
        self.watch_directories = Gauge("dlp_watch_directories", "Directories wanted and watched.", ["state"], registry=add)
        self.reconcile_lag = Gauge("dlp_reconcile_lag_seconds", "Seconds since the last complete reconcile ended.", registry=add)
        self.journal_entries = Gauge("dlp_journal_entries", "File versions noted as judged in the scan journal.", registry=add)
        self.signatures_loaded = Gauge("dlp_signatures_loaded", "Signatures in force.", registry=add)
        self.signatures_timestamp = Gauge("dlp_signatures_timestamp_seconds", "When the signatures were loaded.", registry=add)
        self.reload_failures = Counter("dlp_reload_failures", "Reloads refused; the old configuration stayed.", registry=add)
        self.audit_head = Gauge("dlp_audit_head_timestamp_seconds", "When the last audit record was written.", registry=add)
        self.spool_items = Gauge("dlp_spool_items", "Messages in the spool.", registry=add)
        self.spool_oldest = Gauge("dlp_spool_oldest_seconds", "Age of the oldest message in the spool.", registry=add)
        self.spool_set_aside = Gauge("dlp_spool_set_aside", "Files of the spool that could not be read.", registry=add)
        self.spool_deliveries = Counter("dlp_spool_deliveries", "Recipients tried from the spool.", ["result"], registry=add)
        self.spool_reports = Counter("dlp_spool_notifications", "Senders told of a delivery.", ["action"], registry=add)
        self.usb_drives = Counter("dlp_usb_drives", "USB drives judged by device control.", ["decision"], registry=add)
        self.guard_connected = Gauge("dlp_guard_connected", "Whether a guard does this duty.", ["duty"], registry=add)
        self.opens = Counter("dlp_opens", "Opens asked about under deny-open.", ["channel", "answer"], registry=add)
        self.opens_unjudged = Counter(
            "dlp_opens_unjudged", "Opens answered by on_error, without a verdict.", ["channel", "answer"], registry=add
        )
        self.gate_commits = Counter(
            "dlp_gate_commits", "Writes to gated drives, by what became of them.", ["result"], registry=add
        )
        self.gate_drives = Gauge("dlp_gate_drives", "Drives that are gated now.", registry=add)
        self._taken: dict[str, float] = {}
        self.notice_failures = Counter("dlp_notice_failures", "Notices not delivered, by way.", ["way"], registry=add)

    def taken(self) -> list[tuple[str, dict[str, str], float]]:
        """What the counters have counted since this was last asked: name, labels and growth of each that has grown.

        For a process whose metrics nobody scrapes, to be added to those of one that is.
        """
        grown = []
        for family in self.registry.collect():
            for sample in family.samples if family.type == "counter" else ():
                key = f"{sample.name}{sorted(sample.labels.items())}"
                if (more := sample.value - self._taken.get(key, 0.0)) > 0:
                    self._taken[key] = sample.value
                    grown.append((family.name, dict(sample.labels), more))
        return grown

    def add(self, counted: Iterable[tuple[str, Mapping[str, str], float]]) -> None:
        """Take over what another process has counted."""
        counters = {counter._name: counter for counter in vars(self).values() if isinstance(counter, Counter)}
        for name, labels, more in counted:
            counter = counters[name]
            (counter.labels(**labels) if labels else counter).inc(more)
