"""What the daemon keeps: incidents, originals in custody, the audit log, the scan journal. `stores.Stores` opens them all."""
