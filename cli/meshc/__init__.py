"""The command `meshc`: one verb one file in `commands`, findings as text and JSON in `render`; no logic of its own."""
