"""Examples that the document shows: one customer, as she is sent and as she is answered."""

from typing import Any

Example = dict[str, Any]

ID = "01a2043a-b5d2-7386-b484-33764a732a70"
ETAG = '"v1"'
REQUEST_ID = "6f1d2c9e-0d3b-4a57-9a63-3c7f4f0b8a11"
NEXT = "/customers?limit=1&cursor=AaIEOrXSc4a0hDN2SnMqcA"

ADA: Example = {
    "email": "ada@example.com",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "phone": "+442079460000",
    "addresses": [
        {
            "type": "billing",
            "line1": "12 St James's Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        }
    ],
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "metadata": {"plan": "gold"},
}

CUSTOMER: Example = {
    "id": ID,
    "version": 1,
    "status": "active",
    "email": "ada@example.com",
    "phone": "+442079460000",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "company_name": None,
    "external_id": None,
    "addresses": [{"line2": None, "region": None, **ADA["addresses"][0]}],
    "locale": "en-GB",
    "time_zone": "Europe/London",
    "metadata": {"plan": "gold"},
    "created_at": "2026-03-02T09:30:00.000Z",
    "updated_at": "2026-03-02T09:30:00.000Z",
    "deleted_at": None,
    "purge_at": None,
}

PATCH: Example = {"phone": None, "metadata": {"plan": "platinum"}}

PATCHED = CUSTOMER | {
    "version": 2,
    "phone": None,
    "metadata": {"plan": "platinum"},
    "updated_at": "2026-03-02T10:15:00.000Z",
}

GRACE: Example = {"email": "grace@example.com", "given_name": "Grace", "family_name": "Hopper"}

CREATED_GRACE = CUSTOMER | {
    **GRACE,
    "id": "01a2043a-b5d2-7b1e-8c55-0d6f2a9b7e31",
    "phone": None,
    "addresses": [],
    "locale": None,
    "time_zone": None,
    "metadata": {},
}
