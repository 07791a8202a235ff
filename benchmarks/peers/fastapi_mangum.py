"""FastAPI behind Mangum, with boto3's client.

https://fastapi.tiangolo.com/tutorial/ and https://mangum.fastapiexpert.com/
"""

import uuid
from typing import Annotated

import boto3
from fastapi import FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from mangum import Mangum

from benchmarks.peers.models import Customer, NewCustomer, NewCustomers, Patch, Patches, edited
from benchmarks.peers.rules import (
    BY_EXTERNAL_ID,
    GET,
    INSERT,
    LIST,
    OutdatedError,
    by_boto3,
    change,
    change_all,
    replace,
    version_of,
)

app = FastAPI()
database = by_boto3(boto3.client("rds-data"))


@app.get("/customers/{customer_id}")
def get_customer(customer_id: str) -> Customer:
    return one(database.fetch(GET, id=customer_id))


@app.get("/customers/by-external-id/{external_id}")
def get_customer_by_external_id(external_id: str) -> Customer:
    return one(database.fetch(BY_EXTERNAL_ID, external_id=external_id))


def one(rows: list[dict]) -> Customer:
    if not rows:
        raise HTTPException(status_code=404)
    return Customer(**rows[0])


@app.get("/customers")
def list_customers(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Customer]:
    return [Customer(**row) for row in database.fetch(LIST, rows=limit)]


@app.post("/customers", status_code=201)
def create_customer(new: NewCustomer) -> dict:
    customer = {"id": str(uuid.uuid4()), **new.model_dump()}
    database.run(INSERT, **customer)
    return customer


@app.post("/customers/batch", status_code=201)
def create_customers(batch: NewCustomers) -> dict:
    customers = [{"id": str(uuid.uuid4()), **new.model_dump()} for new in batch.items]
    database.run_all(INSERT, customers)
    return {"items": customers}


@app.put("/customers/{customer_id}")
def replace_customer(
    customer_id: str, new: NewCustomer, if_match: Annotated[str, Header()]
) -> dict:
    return replace(database, customer_id, version_of(if_match), new.model_dump())


@app.patch("/customers/{customer_id}")
def patch_customer(customer_id: str, patch: Patch) -> Customer:
    fields = patch.model_dump()
    changed = change(database, customer_id, lambda customer: edited(customer, fields))
    return one([changed] if changed else [])


@app.patch("/customers")
def patch_customers(patches: Patches) -> list[Customer]:
    items = [item.model_dump() for item in patches.items]
    changed = change_all(database, items, edited)
    return [Customer(**customer) for customer in changed]


@app.exception_handler(OutdatedError)
def report_outdated(_: Request, __: OutdatedError) -> JSONResponse:
    return JSONResponse({"detail": "The customer has changed"}, status_code=412)


handler = Mangum(app, lifespan="off")
