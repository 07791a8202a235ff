"""Problems that only customers have."""

from chalicelib.http.problems import Problem


class CustomerNotFound(Problem):
    status = 404
    type = "customer-not-found"
    title = "Customer not found"


class CustomerNotErased(Problem):
    status = 404
    type = "customer-not-erased"
    title = "Customer not erased"


class EmailTaken(Problem):
    status = 409
    type = "email-taken"
    title = "Email address already in use"


class ExternalIdTaken(Problem):
    status = 409
    type = "external-id-taken"
    title = "External id already in use"
