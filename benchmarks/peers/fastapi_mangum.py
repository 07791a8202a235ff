"""FastAPI behind Mangum, with boto3's client.

https://fastapi.tiangolo.com/tutorial/ and https://mangum.fastapiexpert.com/
"""

import uuid
from typing import Annotated

import boto3
from fastapi import FastAPI, HTTPException, Query
from mangum import Mangum

from benchmarks.peers.models import Customer, NewCustomer
from benchmarks.peers.rules import GET, INSERT, LIST, by_boto3

app = FastAPI()
execute = by_boto3(boto3.client("rds-data"))


@app.get("/customers/{customer_id}")
def get_customer(customer_id: str) -> Customer:
    rows = execute(GET, id=customer_id)
    if not rows:
        raise HTTPException(status_code=404)
    return Customer(**rows[0])


@app.get("/customers")
def list_customers(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[Customer]:
    return [Customer(**row) for row in execute(LIST, rows=limit)]


@app.post("/customers", status_code=201)
def create_customer(new: NewCustomer) -> dict:
    customer = {"id": str(uuid.uuid4()), **new.model_dump()}
    execute(INSERT, **customer)
    return customer


handler = Mangum(app, lifespan="off")
