"""How the verbs explain findings: in the profile's language and in English, with the titles of the signatures in force."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from dlp.cli.common import print_error
from dlp.config import CHECKOUT, Configuration, titles, words_of
from dlp.errors import SignatureError
from dlp.explain import Explain, Language
from dlp.policy.profiles import load_profile


class _Titles(Mapping[Language, Mapping[str, str]]):
    """Read when the first finding is explained: to load the signatures takes longer than to list a hundred incidents."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    @cached_property
    def _known(self) -> Mapping[Language, Mapping[str, str]]:
        try:
            return titles(self._configuration)
        except SignatureError as error:  # what was found does not depend on what is in force today
            print_error(f"signatures are called by their names, since those in force do not load: {error.faults[0]}")
            return {}

    def __getitem__(self, language: Language) -> Mapping[str, str]:
        return self._known[language]

    def __iter__(self) -> Iterator[Language]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def explain_of(configuration: Configuration) -> Explain:
    """Raises ConfigError where the profile cannot be read."""
    words = words_of(load_profile(Path(configuration.profile), CHECKOUT))
    return Explain(_Titles(configuration), words.languages)
