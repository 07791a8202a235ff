"""The table in SQLAlchemy's declarative form.

https://docs.sqlalchemy.org/en/20/orm/quickstart.html
"""

import uuid
from datetime import datetime

from sqlalchemy import BINARY, JSON, Computed, String, TypeDecorator, select
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.alternatives.shared import new_id, now

Time = DATETIME(fsp=3)


class UUID(TypeDecorator):
    """A UUID as bytes.

    https://docs.sqlalchemy.org/en/20/core/custom_types.html#backend-agnostic-guid-type
    """

    impl = BINARY(16)
    cache_ok = True

    def process_bind_param(self, value, _dialect):
        return value.bytes

    def process_result_value(self, value, _dialect):
        return uuid.UUID(bytes=value)


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[uuid.UUID] = mapped_column(UUID, primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(String(8))
    email: Mapped[str | None] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(16))
    given_name: Mapped[str | None] = mapped_column(String(300))
    family_name: Mapped[str | None] = mapped_column(String(300))
    company_name: Mapped[str | None] = mapped_column(String(500))
    external_id: Mapped[str | None] = mapped_column(String(100))
    addresses: Mapped[list] = mapped_column(JSON)
    locale: Mapped[str | None] = mapped_column(String(35))
    time_zone: Mapped[str | None] = mapped_column(String(64))
    metadata_: Mapped[dict] = mapped_column("metadata", JSON)
    updated_at: Mapped[datetime] = mapped_column(Time, default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(Time)
    purge_at: Mapped[datetime | None] = mapped_column(Time)
    email_key: Mapped[str] = mapped_column(String(512), deferred=True)
    state: Mapped[str] = mapped_column(String(7), Computed("state"), deferred=True)


def one(customer_id):
    return select(Customer).where(Customer.id == customer_id, Customer.state == "live")


def some(after, limit):
    order = select(Customer).where(Customer.state == "live", Customer.id < after)
    return order.order_by(Customer.id.desc()).limit(limit + 1)


def row_of(new):
    """Return a new row for a validated customer."""
    fields = new.model_dump()
    fields["metadata_"] = fields.pop("metadata")
    return Customer(**fields, email_key=new.email.lower())
