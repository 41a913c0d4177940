CREATE TABLE orders (id bigserial PRIMARY KEY, what text NOT NULL);
