"""The published rules of FOCUS 1.2 for the columns of an export of usage."""

from typing import NamedTuple

CURRENCY = r"[A-Z]{3}"
MOMENT = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"
# No plus sign, no thousands separators, no exponent with a plus.
NUMBER = r"-?\d+(\.\d+)?(E-?\d+)?"
PRICE = r"\d+(\.\d+)?(E-?\d+)?"
TEXT = r"(?s).*\S.*"
# A count and a capitalized plural noun.
UNIT = r"(\d+ )?[A-Z][a-z]+s|[A-Z][a-z]+es"


class Rule(NamedTuple):
    """What the specification says about a column where ChargeCategory is "Usage"."""

    form: str
    may_be_null: bool = False


# FOCUS 1.2, specification/columns/*.md and specification/attributes/*.md at tag v1.2 of
# https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec: "MUST be present", "MUST NOT be
# null", the value formats, and the allowed values.
MANDATORY = {
    "BilledCost": Rule(NUMBER),
    "BillingAccountId": Rule(TEXT),
    "BillingAccountName": Rule(TEXT, may_be_null=True),
    "BillingCurrency": Rule(CURRENCY),
    "BillingPeriodEnd": Rule(MOMENT),
    "BillingPeriodStart": Rule(MOMENT),
    "ChargeCategory": Rule("Usage|Purchase|Tax|Credit|Adjustment"),
    "ChargeClass": Rule("Correction", may_be_null=True),
    "ChargeDescription": Rule(TEXT, may_be_null=True),
    "ChargePeriodEnd": Rule(MOMENT),
    "ChargePeriodStart": Rule(MOMENT),
    "ContractedCost": Rule(NUMBER),
    "EffectiveCost": Rule(NUMBER),
    "InvoiceIssuerName": Rule(TEXT),
    "ListCost": Rule(NUMBER),
    "PricingQuantity": Rule(NUMBER),
    "PricingUnit": Rule(UNIT),
    "ProviderName": Rule(TEXT),
    "PublisherName": Rule(TEXT),
    "ServiceCategory": Rule("AI and Machine Learning"),
    "ServiceName": Rule(TEXT),
}
# "MUST be present when" the provider measures usage, publishes unit prices and price lists, and
# has sub accounts, regions and tags.
CONDITIONAL = {
    "ConsumedQuantity": Rule(NUMBER),
    "ConsumedUnit": Rule(UNIT),
    "ContractedUnitPrice": Rule(PRICE),
    "ListUnitPrice": Rule(PRICE),
    "PricingCategory": Rule("Standard|Dynamic|Committed|Other"),
    "RegionId": Rule(TEXT, may_be_null=True),
    "RegionName": Rule(TEXT, may_be_null=True),
    "SkuId": Rule(TEXT),
    "SkuMeter": Rule(TEXT),
    "SkuPriceDetails": Rule(r"\{.*\}"),
    "SkuPriceId": Rule(TEXT),
    "SubAccountId": Rule(TEXT),
    "SubAccountName": Rule(TEXT),
    "Tags": Rule(r"\{.*\}", may_be_null=True),
}
RECOMMENDED = {
    "ChargeFrequency": Rule("One-Time|Recurring|Usage-Based"),
    "InvoiceId": Rule(TEXT, may_be_null=True),
    # The allowed values under "AI and Machine Learning".
    "ServiceSubcategory": Rule(
        "AI Platforms|Bots|Generative AI|Machine Learning|Natural Language Processing|"
        r"Other \(AI and Machine Learning\)"
    ),
}
PUBLISHED = MANDATORY | CONDITIONAL | RECOMMENDED
