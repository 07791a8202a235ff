"""FastAPI with SQLAlchemy and PyMySQL. The threads of FastAPI run the handlers.

https://fastapi.tiangolo.com/tutorial/sql-databases/
"""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from benchmarks.alternatives.bearer import Reader, Writer
from benchmarks.alternatives.models import Customer, NewCustomer, Page, page
from benchmarks.alternatives.shared import DATABASE_URL, LAST
from benchmarks.alternatives.tables import one, row_of, some

app = FastAPI()
engine = create_engine(DATABASE_URL.replace("mysql:", "mysql+pymysql:"), pool_pre_ping=True)


def get_session():
    with Session(engine) as session:
        yield session


Sessions = Annotated[Session, Depends(get_session)]


@app.get("/customers/{customer_id}", dependencies=[Reader])
def get_customer(customer_id: UUID, session: Sessions, response: Response) -> Customer:
    row = session.scalar(one(customer_id))
    if row is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"v{row.version}"'
    return row


@app.get("/customers", dependencies=[Reader])
def get_customers(
    session: Sessions, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: UUID = LAST
) -> Page:
    return page(session.scalars(some(after, limit)).all(), limit)


@app.post("/customers", status_code=201, dependencies=[Writer])
def create_customer(new: NewCustomer, session: Sessions, response: Response) -> Customer:
    row = row_of(new)
    session.add(row)
    try:
        session.commit()
    except IntegrityError:
        raise HTTPException(409, "the email address or the external id is in use") from None
    session.refresh(row)
    response.headers["Location"] = f"/customers/{row.id}"
    return row
