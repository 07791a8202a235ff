"""FastAPI with asyncmy and handwritten SQL.

https://github.com/long2ice/asyncmy#use-pool
"""

from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

import asyncmy
from asyncmy.cursors import DictCursor
from asyncmy.errors import IntegrityError
from fastapi import FastAPI, HTTPException, Query, Request, Response

from benchmarks.alternatives.bearer import Reader, Writer
from benchmarks.alternatives.models import Customer, NewCustomer, Page, page
from benchmarks.alternatives.shared import DATABASE_URL, GET, INSERT, LAST, LIST, decoded, inserted

url = urlsplit(DATABASE_URL)


@asynccontextmanager
async def lifespan(app):
    async with asyncmy.create_pool(
        host=url.hostname,
        port=url.port,
        user=url.username,
        password=url.password,
        database=url.path[1:],
        charset="utf8mb4",
        autocommit=True,
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


async def execute(request, sql, parameters):
    async with (
        request.app.state.pool.acquire() as connection,
        connection.cursor(cursor=DictCursor) as cursor,
    ):
        await cursor.execute(sql, parameters)
        return await cursor.fetchall()


@app.get("/customers/{customer_id}", dependencies=[Reader])
async def get_customer(customer_id: UUID, request: Request, response: Response) -> Customer:
    rows = await execute(request, GET, [customer_id.bytes])
    if not rows:
        raise HTTPException(404)
    response.headers["ETag"] = f'"v{rows[0]["version"]}"'
    return decoded(rows[0])


@app.get("/customers", dependencies=[Reader])
async def get_customers(
    request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: UUID = LAST
) -> Page:
    rows = await execute(request, LIST, [after.bytes, limit + 1])
    return page([decoded(row) for row in rows], limit)


@app.post("/customers", status_code=201, dependencies=[Writer])
async def create_customer(new: NewCustomer, request: Request, response: Response) -> Customer:
    row = inserted(new.model_dump())
    try:
        await execute(request, INSERT, row)
    except IntegrityError:
        raise HTTPException(409, "the email address or the external id is in use") from None
    customer = decoded(row)
    response.headers["Location"] = f"/customers/{customer['id']}"
    return customer
