"""Why an attribute is withheld: stable codes for programs, one plain sentence each for officers."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The codes, in the order in which the gate asks: the first that applies is the one named."""

    PURPOSE_NOT_PERMITTED = "PURPOSE_NOT_PERMITTED"
    CONSENT_UNREADABLE = "CONSENT_UNREADABLE"
    RESTRICTED = "RESTRICTED"
    OBJECTED = "OBJECTED"
    CHILD = "CHILD"
    AGE_UNKNOWN = "AGE_UNKNOWN"
    GPC_OPT_OUT = "GPC_OPT_OUT"
    CONSENT_REFUSED = "CONSENT_REFUSED"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    CONSENT_MISSING = "CONSENT_MISSING"
    ATTRIBUTE_UNDECLARED = "ATTRIBUTE_UNDECLARED"
    ATTRIBUTE_NOT_FOR_PURPOSE = "ATTRIBUTE_NOT_FOR_PURPOSE"
    CATEGORY_NOT_PERMITTED = "CATEGORY_NOT_PERMITTED"
    SENSITIVE_LIMITED = "SENSITIVE_LIMITED"
    SPECIAL_CATEGORY_NO_EXPLICIT_CONSENT = "SPECIAL_CATEGORY_NO_EXPLICIT_CONSENT"

    @property
    def sentence(self) -> str:
        """What it means, for a reader who does not program."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.PURPOSE_NOT_PERMITTED: "The catalog does not define this purpose, or the caller may not use it.",
    Reason.CONSENT_UNREADABLE: "The person's recorded decisions can't be read, which counts as no.",
    Reason.RESTRICTED: "Processing of this person's data is restricted (GDPR art. 18).",
    Reason.OBJECTED: "The person objected to this use (GDPR art. 21).",
    Reason.CHILD: "The person is below the age limit of the jurisdiction, and the purpose is profiling.",
    Reason.AGE_UNKNOWN: "The person's age is not known, and the policy asks for it before profiling.",
    Reason.GPC_OPT_OUT: "The person's Global Privacy Control signal opts out of this use.",
    Reason.CONSENT_REFUSED: "The person was asked for consent to this purpose and refused.",
    Reason.CONSENT_WITHDRAWN: "The person withdrew consent to this purpose.",
    Reason.CONSENT_EXPIRED: "The person's consent to this purpose has expired.",
    Reason.CONSENT_MISSING: "The purpose rests on consent, and the person has given none that is in force.",
    Reason.ATTRIBUTE_UNDECLARED: "The catalog does not declare the attribute: nothing permits its use.",
    Reason.ATTRIBUTE_NOT_FOR_PURPOSE: "The attribute is declared for other purposes only.",
    Reason.CATEGORY_NOT_PERMITTED: "The purpose does not extend to attributes of this privacy category.",
    Reason.SENSITIVE_LIMITED: "The person limited the use of sensitive data like this attribute.",
    Reason.SPECIAL_CATEGORY_NO_EXPLICIT_CONSENT: (
        "The attribute is of a special category (GDPR art. 9), and there is neither explicit consent "
        "nor a recorded condition of art. 9(2)."
    ),
}
