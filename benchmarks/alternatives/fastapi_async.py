"""FastAPI with SQLAlchemy's asyncio extension and asyncmy.

https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html
"""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.alternatives.bearer import Reader, Writer
from benchmarks.alternatives.models import Customer, NewCustomer, Page, page
from benchmarks.alternatives.shared import DATABASE_URL, LAST
from benchmarks.alternatives.tables import one, row_of, some

app = FastAPI()
engine = create_async_engine(DATABASE_URL.replace("mysql:", "mysql+asyncmy:"), pool_pre_ping=True)
new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session():
    async with new_session() as session:
        yield session


Sessions = Annotated[AsyncSession, Depends(get_session)]


@app.get("/customers/{customer_id}", dependencies=[Reader])
async def get_customer(customer_id: UUID, session: Sessions, response: Response) -> Customer:
    row = await session.scalar(one(customer_id))
    if row is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"v{row.version}"'
    return row


@app.get("/customers", dependencies=[Reader])
async def get_customers(
    session: Sessions, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: UUID = LAST
) -> Page:
    return page((await session.scalars(some(after, limit))).all(), limit)


@app.post("/customers", status_code=201, dependencies=[Writer])
async def create_customer(new: NewCustomer, session: Sessions, response: Response) -> Customer:
    row = row_of(new)
    session.add(row)
    try:
        await session.commit()
    except IntegrityError:
        raise HTTPException(409, "the email address or the external id is in use") from None
    response.headers["Location"] = f"/customers/{row.id}"
    return row
