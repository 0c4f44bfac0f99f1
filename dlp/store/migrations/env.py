"""Alembic's entry: runs the revisions on the connection `dlp.store.migrate` hands over, in its transaction.

A new revision is a file in `versions/`, numbered after the last; `down_revision` names that one, and
`dlp.store.migrate.HEAD` the newest.
"""

from alembic import context

from dlp.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
