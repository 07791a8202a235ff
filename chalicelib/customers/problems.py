"""Problems that only customers have, besides `customer-not-found`."""

from chalicelib.http.problems import Problem


class EmailTaken(Problem):
    status = 409
    type = "email-taken"
    title = "Email address already in use"


class ExternalIdTaken(Problem):
    status = 409
    type = "external-id-taken"
    title = "External id already in use"
