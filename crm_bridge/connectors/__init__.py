"""CRMs that we ask and write to ourselves: cases in, notes out; one file a CRM."""
