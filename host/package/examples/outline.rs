fn main() {
    let bytes = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    println!("{:#?}", packhost_package::Outline::read(&bytes));
    let d = packhost_package::Description::read(&bytes).unwrap();
    println!("{}", serde_json::to_string_pretty(&d).unwrap());
}
