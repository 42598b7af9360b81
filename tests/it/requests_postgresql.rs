//! PostgreSQL requests of the committed capture.

use lcap::{Detail, Request};

#[test]
fn requests_of_psql_are_rows_with_their_statements() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/postgresql.pcapng");
    let requests = lcap::open(path).unwrap().requests().unwrap();
    let row = |request: &Request| {
        let status = request.status.clone().unwrap_or_default();
        format!("{} {} {status}", request.operation, request.target)
    };
    let statements = "create table pets (name text); insert into pets values ('cat'), ('dog'); \
                      select * from pets; select * from none";
    assert_eq!(
        requests.iter().map(row).collect::<Vec<_>>(),
        [
            "CONNECT postgres@postgres 00000".to_owned(),
            format!("CREATE {statements} 42P01"),
            "CONNECT postgres@postgres 00000".to_owned(),
            "SELECT select version() 00000".to_owned(),
        ]
    );
    let failed = &requests[1];
    let error = "ERROR: relation \"none\" does not exist";
    assert_eq!(failed.error.as_deref(), Some(error));
    assert_eq!(failed.details.get("rows"), Some(&Detail::Count(2)));
    assert_eq!(failed.details.get("affected"), Some(&Detail::Count(2)));
    assert_eq!(
        failed.answer.head,
        "Complete: CREATE TABLE\nComplete: INSERT 0 2\nColumns: name\nRow: cat\nRow: dog\n\
         Complete: SELECT 2\nError: 42P01 relation \"none\" does not exist"
    );
    assert!(requests.iter().all(|request| request.duration().is_some()));
}
