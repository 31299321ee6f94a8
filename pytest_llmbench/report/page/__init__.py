"""The page of a report: what stands on it, as facts; the template only places them."""
