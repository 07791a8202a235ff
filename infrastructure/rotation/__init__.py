"""Rotation of the application's database password: the code of a Lambda function, and of `rotate`.

The function's package contains only this folder, so its modules import nothing else of the project.
"""
