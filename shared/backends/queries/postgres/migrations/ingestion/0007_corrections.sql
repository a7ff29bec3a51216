-- A refused record that was corrected is listed no more.
GRANT DELETE ON rejection TO sextant_app;
