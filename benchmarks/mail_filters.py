"""Other people's mail filters, each a private instance in a folder of its own that needs no network.

What is switched off is what asks the network: it could only be slow here, and it costs its processes little. What
remains is what they do to content, with time to do it on a busy machine. ClamAV has a database of 2,000 signatures
made on the spot instead of its eight millions, SpamAssassin is not called by amavis: both flatter them.
"""

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.daemon import eventually

NETWORKED = (
    *("arc", "asn", "aws_s3", "bimi", "clickhouse", "dcc", "dkim", "dkim_signing", "dmarc", "elastic", "fuzzy_check", "greylist"),
    *("hfilter", "history_redis", "metadata_exporter", "metric_exporter", "mx_check", "neural", "p0f", "phishing", "ratelimit"),
    *("rbl", "replies", "reputation", "rspamd_update", "spf", "surbl", "url_redirector"),
)
"""Modules of rspamd that ask DNS, HTTP or redis; Bayes is off as well, as its store is redis."""
SIGNATURES = 2000
CACHE = Path("/var/cache/dlp-bench/rspamd")
"""Where rspamd's compiled expressions stay between runs: compiling them takes it a minute."""
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def installed(*programs: str) -> bool:
    """All of them can be run."""
    return all(shutil.which(program, path=_PATH) for program in programs)


@contextmanager
def rspamd(folder: Path) -> Iterator[Path]:
    """A milter by rspamd's proxy, scanning itself, with as many processes as processors; its socket."""
    path, local = folder / "milter.sock", folder / "local.d"
    local.mkdir()
    for module in NETWORKED:
        (local / f"{module}.conf").write_text("enabled = false;\n")
    for worker in ("normal", "controller"):
        (local / f"worker-{worker}.inc").write_text("enabled = false;\n")
    CACHE.mkdir(parents=True, exist_ok=True)
    # No server listens there: whatever might still ask is told so at once.
    (local / "options.inc").write_text(
        'dns { nameserver = ["127.0.0.1:9"]; timeout = 0.05s; retransmits = 0; }\n'
        f'filters = "chartable,regexp";\nhs_cache_dir = "{CACHE}/";\ntask_timeout = 120s;\n'
    )
    (local / "worker-proxy.inc").write_text(
        f'bind_socket = "{path} mode=0666";\ncount = {os.cpu_count()};\nmilter = yes;\ntimeout = 300s;\n'
        'upstream "local" { default = yes; self_scan = yes; }\n'
    )
    variables = {"LOCAL_CONFDIR": folder, "DBDIR": folder, "RUNDIR": folder, "LOGDIR": folder}
    command = ["rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", "/etc/rspamd/rspamd.conf"]
    _give(folder, "_rspamd")
    _give(CACHE, "_rspamd")
    with _running([*command, *(f"--var={name}={value}" for name, value in variables.items())], folder, waits_for=path):
        # Its helper has compiled what it did not find in the cache; a second later everybody has taken that up.
        log = folder / "rspamd.log"
        eventually(lambda: "regular expressions to the hyperscan tree" in log.read_text("utf-8", "replace"), seconds=300)
        time.sleep(3)
        yield path


@contextmanager
def clamd(folder: Path) -> Iterator[Path]:
    """ClamAV's daemon with signatures made here; its socket."""
    chance = random.Random(1)
    bodies = [chance.randbytes(24).hex() for _ in range(SIGNATURES // 2)]
    database, path = folder / "database", folder / "clamd.sock"
    database.mkdir()
    (database / "made.ndb").write_text("".join(f"Made.Body-{n}:0:*:{body}\n" for n, body in enumerate(bodies)))
    hashes = (f"{chance.randbytes(16).hex()}:{chance.randrange(100, 10**6)}:Made.File-{n}\n" for n in range(SIGNATURES // 2))
    (database / "made.hdb").write_text("".join(hashes))
    settings = {
        "LocalSocket": path,
        "LocalSocketMode": "666",
        "DatabaseDirectory": database,
        "LogFile": folder / "clamd.log",
        "Foreground": "yes",
        "Bytecode": "no",
        "StreamMaxLength": "100M",
        "MaxScanSize": "100M",
        "MaxFileSize": "100M",
        "TemporaryDirectory": folder,
    }
    with _running(["clamd", "-c", str(_settings(folder / "clamd.conf", settings))], folder, waits_for=path):
        yield path


@contextmanager
def clamav_milter(folder: Path) -> Iterator[Path]:
    """A milter that asks a clamd of its own; its socket."""
    path = folder / "milter.sock"
    with clamd(folder) as scanner:
        settings = {
            "MilterSocket": f"unix:{path}",
            "MilterSocketMode": "666",
            "ClamdSocket": f"unix:{scanner}",
            "Foreground": "yes",
            "OnFail": "Defer",
            "AddHeader": "Replace",
            "MaxFileSize": "100M",
            "TemporaryDirectory": folder,
            "LogFile": folder / "milter.log",
        }
        file = _settings(folder / "clamav-milter.conf", settings)
        with _running(["clamav-milter", "-c", str(file)], folder, waits_for=path):
            yield path


AMAVIS = """\
use strict;
$max_servers = {servers};
$daemon_user = 'amavis'; $daemon_group = 'amavis';
$myhostname = 'mx.example.com'; $mydomain = 'example.com';
$MYHOME = '{folder}'; $TEMPBASE = '{folder}/tmp'; $db_home = '{folder}/db'; $QUARANTINEDIR = undef;
$lock_file = '{folder}/amavisd.lock'; $pid_file = '{folder}/amavisd.pid';
$enable_db = 0; $enable_zmq = 0; $enable_dkim_verification = 0; $enable_dkim_signing = 0;
$do_syslog = 0; $LOGFILE = '{folder}/log'; $log_level = 0;
$inet_socket_bind = '127.0.0.1'; $inet_socket_port = {port}; $unix_socketname = undef;
@inet_acl = qw(127.0.0.1); @mynetworks = qw(127.0.0.0/8);
@local_domains_maps = (['.example.com']);
$forward_method = 'smtp:[127.0.0.1]:{back}'; $notify_method = $forward_method;
@bypass_spam_checks_maps = (1);
$final_virus_destiny = D_BOUNCE; $final_banned_destiny = D_PASS; $final_bad_header_destiny = D_PASS;
@av_scanners = (['ClamAV-clamd', \\&ask_daemon, ["CONTSCAN {{}}\\n", '{scanner}'],
  qr/\\bOK$/m, qr/\\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m]);
@av_scanners_backup = ();
1;
"""


def amavis_servers() -> int:
    """How many messages amavis takes at once."""
    return 2 * (os.cpu_count() or 1)


@contextmanager
def amavis(folder: Path, *, port: int, back: int) -> Iterator[None]:
    """amavis with a clamd of its own and no SpamAssassin, which takes mail on `port` and hands it back on `back`."""
    folder.chmod(0o755)
    (folder / "clamd").mkdir()
    home = folder / "amavis"
    for name in ("tmp", "db"):
        (home / name).mkdir(parents=True)
    with clamd(folder / "clamd") as scanner:
        file = folder / "amavisd.conf"
        file.write_text(AMAVIS.format(servers=amavis_servers(), folder=home, port=port, back=back, scanner=scanner))
        _give(home, "amavis")
        with _running([_amavisd(), "-c", str(file), "foreground"], folder, waits_for=port):
            yield


def _amavisd() -> str:
    return "amavisd-new" if installed("amavisd-new") else "amavisd"


def _settings(path: Path, settings: dict[str, object]) -> Path:
    path.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    return path


def _give(folder: Path, user: str) -> None:
    """To the user that a daemon changes to."""
    folder.chmod(0o755)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, user, user)


@contextmanager
def _running(command: Sequence[str], folder: Path, *, waits_for: Path | int) -> Iterator[None]:
    """A program in the foreground until the block ends; its output is in `folder`/output."""
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env={**os.environ, "PATH": _PATH})
    try:
        eventually(lambda: process.poll() is not None or _answers(waits_for), seconds=300)
        assert process.poll() is None, f"{command[0]} ended:\n{(folder / 'output').read_text('utf-8', 'replace')}"
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(place: Path | int) -> bool:
    family, address = (socket.AF_UNIX, str(place)) if isinstance(place, Path) else (socket.AF_INET, ("127.0.0.1", place))
    with socket.socket(family) as client:
        try:
            client.connect(address)
        except OSError:
            time.sleep(0.1)
            return False
    return True
