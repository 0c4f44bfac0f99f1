"""What a finding can say of its own checks, in machine words that `dlp.explain` puts into a sentence: safe to store.

What a validator has checked follows from which one it is, so it is written here once and not made for each candidate. A
validator that checks different things in different cases states `checks` among its facts, and that counts instead.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dlp.detect.evidence import Judgement
from dlp.detect.nearness import near_word
from dlp.detect.signatures import Signature
from dlp.detect.views import Place

_MARK = "place and form of the mark"
_TABLE = "columns and rows"
_KIND = "words of its kind"
_PAPER = "heading, filled labels"
_NUMBER = "numbering plan, length"
_LINE = "form of its line, no example"
_SECRET = "random, no example, stands alone"  # noqa: S105 - says what was checked
CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "cn_id": "check digit, date, region, stands alone",
        "cn_uscc": "check digit, region, stands alone",
        "bank_card": "Luhn digit, issuer, length, grouped or named",
        "cn_mobile": "numbering plan, length, stands alone",
        "cn_passport": "numbering plan, length, stands alone",
        "iban": "modulo 97, length, stands alone",
        "cn_permit": "numbering plan, length",
        "cn_residence_permit": "check digit, date, region",
        "passport_mrz": "check digit, length",
        "cn_plate": "numbering plan",
        "vin": "numbering plan, length",
        "swift_bic": "numbering plan, length",
        "us_ssn": "numbering plan, no example, stands alone",
        "token": _SECRET,
        "access_key": _SECRET,
        "private_key": "key body",
        "jwt": "token header",
        "password": "random, no example",
        "url_password": "length, no example",
        "state_secret_mark": _MARK,
        "banner_mark": _MARK,
        "trade_secret_mark": _MARK,
        "field_mark": _MARK,
        "english_mark": _MARK,
        "portion_mark": _MARK,
        "tlp_mark": _MARK,
        "sensitivity_label": _MARK,
        "source_code": "lines of code",
        "payroll_table": _TABLE,
        "employee_roster": _TABLE,
        "customer_table": _TABLE,
        "bill_of_materials": _TABLE,
        "financial_statement": _KIND,
        "budget_report": _KIND,
        "personnel_record": _KIND,
        "performance_review": _KIND,
        "contract_zh": _KIND,
        "contract_en": _KIND,
        "meeting_minutes": _KIND,
        "cn_taiwan_permit": _NUMBER,
        "cn_foreigner_card": _NUMBER,
        "passport_other": _NUMBER,
        "email_address": "form, not the envelope's own",
        "cased_token": _SECRET,
        "assigned_token": _SECRET,
        "token_about": _SECRET,
        "bot_token": _SECRET,
        "spaced_password": _LINE,
        "last_field_password": _LINE,
        "hash_line": _LINE,
        "kube_secret": _LINE,
        "basic_login": _LINE,
        "parameter_password": _LINE,
        "told_password": _LINE,
        "markup_password": _LINE,
        "own_mark": _MARK,
        "strategy_plan": _PAPER,
        "feasibility_study": _PAPER,
        "letter_of_intent": _PAPER,
        "insider_list": _PAPER,
        "tender": _PAPER,
        "quotation": _PAPER,
        "supplier_table": _PAPER,
        "sales_network": _PAPER,
        "sales_pipeline": _PAPER,
        "transactions": _PAPER,
        "internal_rules": _PAPER,
        "board_paper": _PAPER,
        "official_document": _PAPER,
        "audit_report": _PAPER,
        "embargoed": _PAPER,
        "research_plan": _PAPER,
        "technical_renovation": _PAPER,
        "test_report": _PAPER,
        "software_design": _PAPER,
        "quality_file": _PAPER,
        "drawing_title": _PAPER,
        "network_plan": _PAPER,
        "process_parameters": _PAPER,
        "formula_table": _TABLE,
        "device_configuration": "lines of configuration",
        "cell_formulas": "formulas in cells",
        "defence": _KIND,
        "proprietary_source": "lines of code",
        "chat_export": "lines of a conversation",
    }
)
"""By the name of a validator, what one confirmed match has passed."""
LONGEST = 64
"""Characters of one fact at the most, as many as an answer from a child may hold."""
_TELLING = 3
"""Letters of the name of a YARA string from which on it tells something: `$unionpay`, not `$a`."""


def facts_of(signature: Signature, judgement: Judgement, *, page: int | None, string: str, word: str) -> dict[str, str]:
    """What the judgement states, and beside it the page, the rule's string that matched, the word of `near` that stood
    close by, and what the validator has checked."""
    facts = dict(judgement.facts)
    if signature.validator is not None:
        facts.setdefault("checks", CHECKS.get(signature.validator, signature.validator))
    told = {"near": word, "string": string if len(string) >= _TELLING else "", "page": "" if page is None else str(page)}
    return facts | {name: value[:LONGEST] for name, value in told.items() if value}


def word_of(signature: Signature, place: Place) -> str:
    """The word of the signature's `near` that stands close by; "" where it asks for none."""
    return near_word(signature.near, place.folded, place.folded_start, place.folded_end) if signature.near else ""
