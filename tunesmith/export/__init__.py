"""The trained model in the forms that others run, each with a certificate that it answers as it did here."""
